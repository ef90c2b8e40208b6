// The words on the pages. The Japanese ones are the manual's: people follow it, so they must not change by accident.

export const ja = {
  language: 'ja',
  otherLanguage: 'English',
  signIn: { title: 'ログイン', loginId: 'ログインID', password: 'パスワード', button: 'ログイン', out: 'ログアウト' },
  issuance: {
    title: 'ワンタイムパスワードトークン発行',
    mail: 'メールアドレス',
    mailAgain: 'メールアドレス(確認)',
    password: '利用開始パスワード',
    passwordAgain: '利用開始パスワード(確認)',
    button: 'トークン発行',
  },
  mail: { serviceId: 'サービスID', tokenUserId: 'ユーザID' },
  waiting: {
    title: 'アプリで設定を完了してください',
    activated: 'アプリの設定が終わりました',
    toVerification: 'ワンタイムパスワード認証確認へ',
    mailSent: '送信済み',
    sendAgain: 'メールを再送',
    startOver: 'はじめからやり直す',
  },
  download: { title: 'アプリのダウンロード' },
  verification: { title: 'ワンタイムパスワード認証確認', code: 'ワンタイムパスワード', button: '認証確認' },
  top: { title: 'トップページ' },
  manage: {
    title: '管理',
    users: '利用者(ユーザ)管理',
    release: 'ワンタイムパスワードの利用停止解除',
    revoke: 'トークンの失効',
    confirmationPassword: '確認用パスワード',
    releaseButton: '停止解除',
    revokeButton: '失効',
    released: '解除しました',
    revoked: '失効しました',
    releaseResult: 'ワンタイムパスワード利用停止解除結果',
    revokeResult: 'トークン失効結果',
    backToUsers: '利用者(ユーザ)管理へ戻る',
  },
  suspended: { title: 'ワンタイムパスワードは利用停止中です' },
  revoked: { title: 'トークンは失効しています' },
  refusals: {
    codeWrong: (/** @type {number} */ left) => `あと${left}回間違えると利用停止になります`,
    codeUsed: 'このワンタイムパスワードは使用済みです',
    selfRelease: 'ご自身の利用停止は解除できません',
    confirmationWrong: '確認用パスワードが正しくありません',
    tooManyRequests: '短い間に操作が続いたため',
    signIn: 'ログインIDまたはパスワードが正しくありません',
    mailMismatch: '2つのメールアドレスが違っています',
    passwordMismatch: '2つの利用開始パスワードが違っています',
  },
};

/** @type {typeof ja} */
export const en = {
  language: 'en',
  otherLanguage: '日本語',
  signIn: { title: 'Sign in', loginId: 'Login ID', password: 'Password', button: 'Sign in', out: 'Sign out' },
  issuance: {
    title: 'Issue a one-time password token',
    mail: 'Mail address',
    mailAgain: 'Mail address (again)',
    password: 'Activation password',
    passwordAgain: 'Activation password (again)',
    button: 'Issue token',
  },
  mail: { serviceId: 'Service ID', tokenUserId: 'User ID' },
  waiting: {
    title: 'Finish the set-up in the app',
    activated: 'The app is set up',
    toVerification: 'Verify a one-time password',
    mailSent: 'Sent',
    sendAgain: 'Send the mail again',
    startOver: 'Start over',
  },
  download: { title: 'Download the app' },
  verification: { title: 'Verify your one-time password', code: 'One-time password', button: 'Verify' },
  top: { title: 'Top page' },
  manage: {
    title: 'Administration',
    users: 'User administration',
    release: 'Release suspended one-time passwords',
    revoke: 'Revoke tokens',
    confirmationPassword: 'Confirmation password',
    releaseButton: 'Release',
    revokeButton: 'Revoke',
    released: 'Released',
    revoked: 'Revoked',
    releaseResult: 'Result of the release',
    revokeResult: 'Result of the revocation',
    backToUsers: 'Back to user administration',
  },
  suspended: { title: 'Your one-time password is suspended' },
  revoked: { title: 'Your token is revoked' },
  refusals: {
    codeWrong: (left) => (left === 1 ? 'After 1 more wrong code it is suspended' : `After ${left} more wrong codes it is suspended`),
    codeUsed: 'This one-time password was already used',
    selfRelease: 'You cannot release yourself',
    confirmationWrong: 'The confirmation password is wrong',
    tooManyRequests: 'There were too many tries in a short time',
    signIn: 'The login ID or the password is wrong',
    mailMismatch: 'The two mail addresses differ',
    passwordMismatch: 'The two activation passwords differ',
  },
};

/** @typedef {typeof ja} Labels */

/** The words of a project of the configuration. @param {string} project @returns {Labels} */
export function labelsOf(project) {
  return project === 'en' ? en : ja;
}
